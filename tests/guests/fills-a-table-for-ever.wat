;; Fills a table of 10,000 entries again and again.
(module
  (memory (export "memory") 1)
  (table $t 10000 funcref)
  (func $main (export "_start")
    (loop $again
      (table.fill $t (i32.const 0) (ref.null func) (i32.const 10000))
      (br $again))))
