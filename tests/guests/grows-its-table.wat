;; Grows its table a hundred entries at a time until it is refused; ends with 1 when it got more than a thousand.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (func $main (export "_start")
    (loop $grow
      (br_if $grow (i32.and
        (i32.ne (table.grow $t (ref.null func) (i32.const 100)) (i32.const -1))
        (i32.lt_u (table.size $t) (i32.const 1048576)))))
    (call $proc_exit (i32.gt_u (table.size $t) (i32.const 1000)))))
