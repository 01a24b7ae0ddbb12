;; Is sound, but for the names of what it exports.
(module
  (memory (export "memory") 1)
  (func (export "\1b[2Jgone") (export "a\0afake line") (export "a\e2\80\aeb"))
  (func (export "_start")
    unreachable))
