;; Has a memory whose pages are one byte large.
(module
  (memory (export "memory") 65536 (pagesize 1))
  (func (export "_start")))
