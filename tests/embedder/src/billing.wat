;; Bills articles at the host's prices.
(component
  (import "acme:shop/prices@1.0.0" (instance $prices
    (export "price" (func (param "article" string) (result (option u32))))))

  (core module $memory
    (memory (export "memory") 1)
    ;; One argument at a time: each is written to the same place.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64)))
  (core instance $memory (instantiate $memory))

  (core func $price (canon lower (func $prices "price")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))

  (core module $billing
    (import "memory" "memory" (memory 1))
    ;; Writes an option: a byte that says whether there is a price, and the price behind it.
    (import "shop" "price" (func $price (param $article i32) (param $length i32) (param $option i32)))
    (func (export "total") (param $article i32) (param $length i32) (param $count i32) (result i32)
      (call $price (local.get $article) (local.get $length) (i32.const 16))
      (if (i32.eqz (i32.load8_u (i32.const 16))) (then unreachable))
      (i32.mul (i32.load (i32.const 20)) (local.get $count))))
  (core instance $billing (instantiate $billing
    (with "memory" (instance $memory))
    (with "shop" (instance (export "price" (func $price))))))

  (func (export "total") (param "article" string) (param "count" u32) (result u32)
    (canon lift (core func $billing "total")
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
