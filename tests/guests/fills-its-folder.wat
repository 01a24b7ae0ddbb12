;; Writes 64 KiB into each of 64 files, and again from the beginning, without end.
(module
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 1024) "f")
  (func $main (export "_start")
    (local $i i32)
    (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 65536))
    (loop $again
      (i32.store8 (i32.const 1025) (i32.add (i32.const 48) (i32.and (local.get $i) (i32.const 63))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 2)
        (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))
      (drop (call $fd_write (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 24)))
      (drop (call $fd_close (i32.load (i32.const 0))))
      (br $again))))
