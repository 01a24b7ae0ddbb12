;; Asks for size and times of `../secret`.
;; Ends with the error number.
(module
  (import "wasi_snapshot_preview1" "path_filestat_get" (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "../secret")
  (func $main (export "_start")
    (call $proc_exit (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 9) (i32.const 0)))))
