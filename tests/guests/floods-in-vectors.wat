;; Hands over 1,024 vectors of 64 KiB at once, again and again.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func $main (export "_start")
    (local $at i32)
    (memory.fill (i32.const 65536) (i32.const 120) (i32.const 65536))
    (loop $next
      (i32.store (local.get $at) (i32.const 65536))
      (i32.store (i32.add (local.get $at) (i32.const 4)) (i32.const 65536))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 8192))))
    (loop $again
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1024) (i32.const 8192)))
      (br $again))))
