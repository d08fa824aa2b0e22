;; Grows a table without end. Rust has no way to say this, so it is written by hand.
(component
  (core module $bomb
    (table $table 1 funcref)
    ;; Grows by `step` elements until the host refuses; gives back how many there are then.
    (func (export "grow") (param $step i32) (result i32)
      (loop $again
        (br_if $again
          (i32.ne
            (table.grow $table (ref.null func) (local.get $step))
            (i32.const -1))))
      (table.size $table)))
  (core instance $bomb (instantiate $bomb))
  (func (export "grow") (param "step" u32) (result u32)
    (canon lift (core func $bomb "grow"))))
