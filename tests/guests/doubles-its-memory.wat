;; Doubles its memory until it is refused, as an allocator does, and gives up far from the limit.
(module
  (memory (export "memory") 9)
  (func $main (export "_start")
    (loop $grow (br_if $grow (i32.ne (memory.grow (memory.size)) (i32.const -1))))
    unreachable))
