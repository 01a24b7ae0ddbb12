;; Clears the screen, sets the title, fills the clipboard, asks the terminal to answer, turns text around.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\1b[2J\1b]0;owned\07\1b]52;c;cm0gLXJm\07\1b[6n\1b[21t\1bP+q\1b\\\e2\80\ae\9b31m\0d\0a")
  (func $main (export "_start")
    (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 54))
    (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))))
