;; Waits for the first of 1,024 sleeps of an hour.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 3)
  (func $main (export "_start")
    (local $at i32)
    (loop $next
      (i32.store (i32.add (local.get $at) (i32.const 16)) (i32.const 1))
      (i64.store (i32.add (local.get $at) (i32.const 24)) (i64.const 3600000000000))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 48))) (i32.const 49152))))
    (drop (call $poll_oneoff (i32.const 0) (i32.const 65536) (i32.const 1024) (i32.const 131072)))))
