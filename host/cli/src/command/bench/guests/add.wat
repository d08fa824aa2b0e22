;; The benchmark's task, add(a, b), in a module with the furniture of a small Rust one: a memory of
;; 17 pages with data in it, a table with functions, a realloc.
(component
  (core module $m
    (memory (export "memory") 17)
    (table 4 4 funcref)
    (global $heap (mut i32) (i32.const 1048600))
    (data (i32.const 1048576) "chicory benchmark")
    (elem (i32.const 1) $add $add)
    (func $add (export "add") (param i32 i32) (result i32)
      (i32.store (i32.const 1048000) (i32.add (local.get 0) (local.get 1)))
      (i32.load (i32.const 1048000)))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $heap (i32.add (global.get $heap) (local.get 3)))
      (i32.sub (global.get $heap) (local.get 3))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))
