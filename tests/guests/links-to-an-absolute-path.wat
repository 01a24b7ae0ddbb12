;; Makes a link to `/etc/passwd`.
;; Ends with the error number.
(module
  (import "wasi_snapshot_preview1" "path_symlink" (func $path_symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "/etc/passwd")
  (data (i32.const 2048) "link")
  (func $main (export "_start")
    (call $proc_exit (call $path_symlink (i32.const 1024) (i32.const 11) (i32.const 3) (i32.const 2048) (i32.const 4)))))
