;; Recursion that ends, two thousand calls deep.
(module
  (memory (export "memory") 1)
  (func $deep (param $n i32) (result i32)
      (if (result i32) (local.get $n)
        (then (i32.add (call $deep (i32.sub (local.get $n) (i32.const 1))) (local.get $n)))
        (else (i32.const 0))))
  (func $main (export "_start")
    (drop (call $deep (i32.const 2000)))))
