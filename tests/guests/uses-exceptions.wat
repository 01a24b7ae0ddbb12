;; Throws an exception.
(module
  (tag $oops)
  (memory (export "memory") 1)
  (func (export "_start")
    (throw $oops)))
