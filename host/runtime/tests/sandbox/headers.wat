;; Tasks that fill sets of `wasi:http`'s headers with 110 KB each: `hoard` keeps them, `copy` copies one, `tidy` drops
;; each. `many` adds headers of different names to one set.
(component
  (import "wasi:http/types@0.2.0" (instance $http
    (export "fields" (type $fields (sub resource)))
    (type $errors (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $error (eq $errors)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]fields.append" (func
      (param "self" (borrow $fields)) (param "name" string) (param "value" (list u8))
      (result (result (error $error)))))
    (export "[method]fields.clone" (func (param "self" (borrow $fields)) (result (own $fields))))))
  (alias export $http "fields" (type $fields))
  (core module $libc (memory (export "memory") 2))
  (core instance $libc (instantiate $libc))
  (core func $new (canon lower (func $http "[constructor]fields")))
  (core func $append (canon lower (func $http "[method]fields.append") (memory $libc "memory")))
  (core func $clone (canon lower (func $http "[method]fields.clone")))
  (core func $drop (canon resource.drop $fields))
  (core module $m
    (import "host" "new" (func $new (result i32)))
    (import "host" "append" (func $append (param i32 i32 i32 i32 i32 i32)))
    (import "host" "clone" (func $clone (param i32) (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    (import "libc" "memory" (memory 2))
    (func $fill (result i32)
      (local $handle i32)
      (memory.fill (i32.const 0) (i32.const 120) (i32.const 110000))
      (local.set $handle (call $new))
      (call $append (local.get $handle) (i32.const 0) (i32.const 4)
        (i32.const 0) (i32.const 110000) (i32.const 120000))
      (local.get $handle))
    (func (export "hoard") (param $left i32) (result i32)
      (loop $again
        (drop (call $fill))
        (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (i32.const 1))
    (func (export "copy") (param $left i32) (result i32)
      (local $first i32)
      (local.set $first (call $fill))
      (loop $again
        (drop (call $clone (local.get $first)))
        (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (i32.const 1))
    (func (export "many") (param $left i32) (result i32)
      (local $handle i32)
      (local.set $handle (call $new))
      (loop $again
        ;; Four letters of the number.
        (i32.store (i32.const 0) (i32.add (i32.const 0x61616161)
          (i32.or
            (i32.or (i32.and (local.get $left) (i32.const 15))
              (i32.shl (i32.and (i32.shr_u (local.get $left) (i32.const 4)) (i32.const 15)) (i32.const 8)))
            (i32.or
              (i32.shl (i32.and (i32.shr_u (local.get $left) (i32.const 8)) (i32.const 15)) (i32.const 16))
              (i32.shl (i32.and (i32.shr_u (local.get $left) (i32.const 12)) (i32.const 15)) (i32.const 24))))))
        (call $append (local.get $handle) (i32.const 0) (i32.const 4)
          (i32.const 0) (i32.const 0) (i32.const 120000))
        (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (i32.const 1))
    (func (export "tidy") (param $left i32) (result i32)
      (loop $again
        (call $drop (call $fill))
        (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (i32.const 1)))
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "new" (func $new)) (export "append" (func $append))
      (export "clone" (func $clone)) (export "drop" (func $drop))))))
  (func (export "hoard") (param "count" u32) (result u32) (canon lift (core func $i "hoard")))
  (func (export "copy") (param "count" u32) (result u32) (canon lift (core func $i "copy")))
  (func (export "many") (param "count" u32) (result u32) (canon lift (core func $i "many")))
  (func (export "tidy") (param "count" u32) (result u32) (canon lift (core func $i "tidy"))))
