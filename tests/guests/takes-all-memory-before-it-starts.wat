;; Its start section grows memory until it is refused, and then gives up.
(module
  (memory (export "memory") 1)
  (func $before
      (loop $grow (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      unreachable)
  (func $main (export "_start"))
  (start $before))
