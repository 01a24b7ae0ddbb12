;; Ends with 9 from deep inside its own calls.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $down (param $n i32)
      (if (i32.eqz (local.get $n)) (then (call $proc_exit (i32.const 9))))
      (call $down (i32.sub (local.get $n) (i32.const 1)))
      unreachable)
  (func $main (export "_start")
    (call $down (i32.const 100))))
