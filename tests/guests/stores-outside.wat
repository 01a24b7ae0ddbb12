;; Stores one byte behind its memory.
(module
  (memory (export "memory") 1)
  (func $main (export "_start")
    (i32.store8 (i32.const 65536) (i32.const 1))))
