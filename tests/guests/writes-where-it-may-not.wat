;; Writes to descriptors that it was not given; ends with the error number that all of them have in common.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "stray")
  (func $main (export "_start")
    (local $e i32)
    (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 5))
    (local.set $e (call $fd_write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8)))
    (local.set $e (i32.and (local.get $e) (call $fd_write (i32.const 63) (i32.const 0) (i32.const 1) (i32.const 8))))
    (local.set $e (i32.and (local.get $e) (call $fd_write (i32.const 1000) (i32.const 0) (i32.const 1) (i32.const 8))))
    (local.set $e (i32.and (local.get $e) (call $fd_write (i32.const -1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (call $proc_exit (local.get $e))))
