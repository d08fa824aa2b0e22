;; The shape that componentize-py leaves: a main module with the memory and the table, a library that fills
;; the table at a base it is given, a shim for a function of the host that needs the memory, a module that puts
;; that function into the shim's table, and one that fills in what is left.
(component
  (import "double" (func $double (param "x" u32) (result u32)))
  (import "length" (func $length (param "text" string) (result u32)))

  (core module $shim
    (type $length (func (param i32 i32) (result i32)))
    (table (export "$imports") 1 1 funcref)
    (func (export "0") (type $length)
      (call_indirect (type $length) (local.get 0) (local.get 1) (i32.const 0))))

  (core module $main
    (import "host" "double" (func $double (param i32) (result i32)))
    (import "shim" "length" (func $length (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (table (export "table") 8 funcref)
    (global (export "memory_base") i32 (i32.const 1024))
    (global (export "table_base") i32 (i32.const 3))
    (global (export "got") (mut i32) (i32.const 1030))
    (global $calls (export "calls") (mut i32) (i32.const 0))
    (type $unary (func (param i32) (result i32)))
    (func $twice (export "twice") (type $unary) (call $double (local.get 0)))
    (func $count (export "count")
      (global.set $calls (i32.add (global.get $calls) (i32.const 1))))
    ;; Measures a text that the library's data holds.
    (func (export "measure") (param i32) (result i32)
      (call $length (i32.const 1024) (local.get 0)))
    (func (export "by-table") (param i32 i32) (result i32)
      (call_indirect (type $unary) (local.get 1) (local.get 0)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 2048))
    (func (export "never-called") (global.set $calls (i32.const 0))))

  (core module $library
    (import "env" "memory" (memory 0))
    (import "env" "table" (table 4 funcref))
    (import "env" "memory_base" (global $memory_base i32))
    (import "env" "table_base" (global $table_base i32))
    (import "env" "twice" (func $twice (param i32) (result i32)))
    (import "env" "count" (func $count))
    (import "got" "here" (global $got (mut i32)))
    (type $unary (func (param i32) (result i32)))
    (func $more (type $unary)
      (call $count)
      (i32.add (call $twice (local.get 0)) (i32.load8_u (global.get $got))))
    (func $less (type $unary)
      (i32.sub (local.get 0) (i32.load8_u (i32.add (global.get $memory_base) (i32.const 1)))))
    (elem (offset (global.get $table_base)) func $more $less)
    (elem (offset (i32.add (global.get $table_base) (i32.const 2))) func $less)
    (data (offset (global.get $memory_base)) "abcdefghij"))

  (core module $fixup
    (import "" "0" (func (param i32 i32) (result i32)))
    (import "" "$imports" (table 1 1 funcref))
    (elem (offset (i32.const 0)) func 0))

  (core module $init
    (import "env" "memory" (memory 1))
    (import "env" "table" (table 1 funcref))
    (import "env" "twice" (func $twice (param i32) (result i32)))
    (elem (offset (i32.const 1)) func $twice)
    (data (offset (i32.const 1030)) "\07"))

  (core instance $shims (instantiate $shim))
  (core func $double-core (canon lower (func $double)))
  (core instance $host (export "double" (func $double-core)))
  (core instance $for-main (export "length" (func $shims "0")))
  (core instance $m (instantiate $main (with "host" (instance $host)) (with "shim" (instance $for-main))))
  (core instance $got (export "here" (global $m "got")))
  (core instance $l (instantiate $library (with "env" (instance $m)) (with "got" (instance $got))))
  (core func $length-core
    (canon lower (func $length) (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
  (core instance $fix (instantiate $fixup (with "" (instance
    (export "0" (func $length-core)) (export "$imports" (table $shims "$imports"))))))
  (core instance $i (instantiate $init (with "env" (instance $m))))

  (func (export "by-table") (param "entry" u32) (param "x" u32) (result u32)
    (canon lift (core func $m "by-table")))
  (func (export "measure") (param "x" u32) (result u32) (canon lift (core func $m "measure"))))
