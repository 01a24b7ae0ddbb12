;; Recursion without an end where every call goes through a table.
(module
  (memory (export "memory") 1)
  (type $void (func))
  (table 1 funcref)
  (elem (i32.const 0) $deep)
  (func $deep (call_indirect (type $void) (i32.const 0)))
  (func $main (export "_start")
    (call $deep)))
