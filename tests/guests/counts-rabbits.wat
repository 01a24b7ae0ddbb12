;; Fibonacci of 90 by calls alone: no loop, no deep stack, and no end in a lifetime.
(module
  (memory (export "memory") 1)
  (func $f (param $n i32) (result i32)
      (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
        (then (local.get $n))
        (else (i32.add
          (call $f (i32.sub (local.get $n) (i32.const 1)))
          (call $f (i32.sub (local.get $n) (i32.const 2)))))))
  (func $main (export "_start")
    (drop (call $f (i32.const 90)))))
