;; Types of all kinds, and a function that returns its argument.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "text") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0))
      (i32.store (i32.const 20) (local.get 1))
      (i32.const 16))
    (func (export "choose") (param i32 i64 i32) (result i32) (local.get 0))
    (func (export "spin") (loop (br 0))))
  (core instance $i (instantiate $m))
  (type $choice' (variant (case "none") (case "wide" u64) (case "flag" bool)))
  (export $choice "choice" (type $choice'))
  (func (export "text") (param "text" string) (result string)
    (canon lift (core func $i "text") (memory $i "memory") (realloc (func $i "realloc"))))
  (func (export "choose") (param "choice" $choice) (param "most" u8) (result u32)
    (canon lift (core func $i "choose")))
  (func (export "spin") (canon lift (core func $i "spin"))))
