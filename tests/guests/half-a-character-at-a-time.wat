;; Writes the three bytes of one character in turn to stdout and stderr, so that neither gets it whole.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\e2\82\ac")
  (func $main (export "_start")
    (local $i i32)
    (i32.store (i32.const 4) (i32.const 1))
    (loop $next
      (i32.store (i32.const 0) (i32.add (i32.const 16) (i32.rem_u (local.get $i) (i32.const 3))))
      (drop (call $fd_write (i32.add (i32.const 1) (i32.and (local.get $i) (i32.const 1)))
        (i32.const 0) (i32.const 1) (i32.const 8)))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 6))))))
