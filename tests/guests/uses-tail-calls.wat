;; Calls itself for ever in tail position, which would need no stack.
(module
  (memory (export "memory") 1)
  (func $again (export "_start")
    (return_call $again)))
