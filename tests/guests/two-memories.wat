;; Has two memories, of which limits and measurements would see one.
(module
  (memory (export "memory") 1)
  (memory 1)
  (func (export "_start")))
