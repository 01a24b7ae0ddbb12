;; Tries to cut, to lengthen, to move in and to reopen its output; ends with how many of these attempts succeeded.
(module
  (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $fd_filestat_set_size (param i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_allocate" (func $fd_allocate (param i32 i64 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite" (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $main (export "_start")
    (call $proc_exit (i32.add (i32.add
      (i32.eqz (call $fd_filestat_set_size (i32.const 1) (i64.const 0)))
      (i32.eqz (call $fd_allocate (i32.const 1) (i64.const 0) (i64.const 1099511627776))))
      (i32.add
      (i32.eqz (call $fd_seek (i32.const 1) (i64.const 1099511627776) (i32.const 0) (i32.const 8)))
      (i32.eqz (call $fd_pwrite (i32.const 1) (i32.const 0) (i32.const 1) (i64.const 4096) (i32.const 8))))))))
