;; Sends itself the signal that cannot be caught.
(module
  (import "wasi_snapshot_preview1" "proc_raise" (func $proc_raise (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $main (export "_start")
    (drop (call $proc_raise (i32.const 9)))
    (call $proc_exit (i32.const 5))))
