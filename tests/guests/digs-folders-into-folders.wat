;; Makes a folder in a folder in a folder, 150 of them, and then spins.
(module
  (import "wasi_snapshot_preview1" "path_create_directory" (func $path_create_directory (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $main (export "_start")
    (local $n i32)
    (loop $dig
      (i32.store16 (i32.add (i32.const 1024) (i32.shl (local.get $n) (i32.const 1))) (i32.const 0x2f64))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (drop (call $path_create_directory (i32.const 3) (i32.const 1024)
        (i32.sub (i32.shl (local.get $n) (i32.const 1)) (i32.const 1))))
      (br_if $dig (i32.lt_u (local.get $n) (i32.const 150))))
    (loop $again (br $again))))
