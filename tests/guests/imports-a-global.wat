;; Wants a global from the host.
(module
  (import "env" "stack_pointer" (global i32))
  (memory (export "memory") 1)
  (func (export "_start")))
