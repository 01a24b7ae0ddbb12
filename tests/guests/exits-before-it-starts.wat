;; Ends with 7 in its start section.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $before (call $proc_exit (i32.const 7)))
  (func $main (export "_start"))
  (start $before))
