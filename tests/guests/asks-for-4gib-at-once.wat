;; Asks for all that a memory can be, in one step; traps when it is refused, as it must be.
(module
  (memory (export "memory") 1)
  (func $main (export "_start")
    (if (i32.eq (memory.grow (i32.const 65535)) (i32.const -1)) (then unreachable))))
