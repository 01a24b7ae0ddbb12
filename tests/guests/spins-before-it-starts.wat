;; Its start section never ends, so that `_start` is never reached.
(module
  (memory (export "memory") 1)
  (func $before (loop $again (br $again)))
  (func $main (export "_start"))
  (start $before))
