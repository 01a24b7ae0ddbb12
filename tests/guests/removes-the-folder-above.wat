;; Removes `..`, and its own folder as `.`.
;; Ends with the error number.
(module
  (import "wasi_snapshot_preview1" "path_remove_directory" (func $path_remove_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "..")
  (func $main (export "_start")
    (call $proc_exit (i32.and (call $path_remove_directory (i32.const 3) (i32.const 1024) (i32.const 2)) (call $path_remove_directory (i32.const 3) (i32.const 1024) (i32.const 1))))))
