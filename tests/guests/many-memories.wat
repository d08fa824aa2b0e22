;; Three memories, each of which stays small while the sum doesn't: a limit on each is no limit.
(component
  (core module $hoard
    (memory 1)
    ;; Grows by `pages` of 64 KiB; gives back the old size, or -1 where the host refused.
    (func (export "grow") (param $pages i32) (result i32)
      (memory.grow (local.get $pages))))
  (core instance $first (instantiate $hoard))
  (core instance $second (instantiate $hoard))
  (core instance $third (instantiate $hoard))
  (core module $all
    (import "first" "grow" (func $first (param i32) (result i32)))
    (import "second" "grow" (func $second (param i32) (result i32)))
    (import "third" "grow" (func $third (param i32) (result i32)))
    ;; How many of the three grew.
    (func (export "grow-each") (param $pages i32) (result i32)
      (i32.add
        (i32.ne (call $first (local.get $pages)) (i32.const -1))
        (i32.add
          (i32.ne (call $second (local.get $pages)) (i32.const -1))
          (i32.ne (call $third (local.get $pages)) (i32.const -1))))))
  (core instance $all (instantiate $all
    (with "first" (instance $first))
    (with "second" (instance $second))
    (with "third" (instance $third))))
  (func (export "grow-each") (param "pages" u32) (result u32)
    (canon lift (core func $all "grow-each"))))
