;; Computes: spin(rounds) needs the same time for each round, which the benchmark measures first.
(component
  (core module $m
    (func (export "spin") (param $rounds i64) (result i64)
      (local $sum i64)
      (loop $again
        (local.set $sum
          (i64.add (i64.rotl (local.get $sum) (i64.const 7)) (i64.mul (local.get $rounds) (local.get $rounds))))
        (local.set $rounds (i64.sub (local.get $rounds) (i64.const 1)))
        (br_if $again (i64.gt_s (local.get $rounds) (i64.const 0))))
      (local.get $sum)))
  (core instance $i (instantiate $m))
  (func (export "spin") (param "rounds" s64) (result s64) (canon lift (core func $i "spin"))))
