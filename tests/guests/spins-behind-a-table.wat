;; Its start section loops through a table: the caller is not the function that loops.
(module
  (memory (export "memory") 1)
  (type $void (func))
  (table 1 funcref)
  (elem (i32.const 0) $step)
  (func $step (loop $again (br_if $again (i32.const 1))))
  (func $before (loop $again (call_indirect (type $void) (i32.const 0)) (br $again)))
  (func $main (export "_start"))
  (start $before))
