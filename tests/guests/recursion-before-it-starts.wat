;; Recursion without an end in its start section.
(module
  (memory (export "memory") 1)
  (func $deep (call $deep) (call $deep))
  (func $main (export "_start"))
  (start $deep))
