;; Has a type of structures, which would need a garbage collector.
(module
  (type $box (struct (field i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (struct.new $box (i32.const 1)))))
