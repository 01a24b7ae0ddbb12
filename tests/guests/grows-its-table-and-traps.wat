;; Grows its table by four thousand million entries at once, and gives up when it is refused.
(module
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (func $main (export "_start")
    (if (i32.eq (table.grow $t (ref.null func) (i32.const -2)) (i32.const -1)) (then unreachable))))
