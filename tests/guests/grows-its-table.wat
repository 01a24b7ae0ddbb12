;; Grows its table until it is refused, and ends well; 1 when there was no bound below 2^20.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (func $main (export "_start")
    (loop $grow
      (br_if $grow (i32.and
        (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))
        (i32.lt_u (table.size $t) (i32.const 1048576)))))
    (call $proc_exit (i32.ge_u (table.size $t) (i32.const 1048576)))))
