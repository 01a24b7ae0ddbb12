;; Its element segment lies outside its table: it traps while it is made.
(module
  (memory (export "memory") 1)
  (table 1 funcref)
  (elem (i32.const 7) $main)
  (func $main (export "_start")))
