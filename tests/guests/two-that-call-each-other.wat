;; Two functions that call each other without end.
(module
  (memory (export "memory") 1)
  (func $one (call $two) (call $two))
  (func $two (call $one) (call $one))
  (func $main (export "_start")
    (call $one)))
