;; Says when it ran: now() gives microseconds since 1970.
(component
  (import "wasi:clocks/wall-clock@0.2.0" (instance $clock
    (type $datetime' (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $datetime')))
    (export "now" (func (result $datetime)))))
  (core module $memory (memory (export "memory") 1))
  (core instance $mem (instantiate $memory))
  (core func $now (canon lower (func $clock "now") (memory (core memory $mem "memory"))))
  (core module $m
    (import "mem" "memory" (memory 1))
    (import "host" "now" (func $now (param i32)))
    (func (export "now") (result i64)
      (call $now (i32.const 16))
      (i64.add
        (i64.mul (i64.load (i32.const 16)) (i64.const 1000000))
        (i64.extend_i32_u (i32.div_u (i32.load (i32.const 24)) (i32.const 1000))))))
  (core instance $i (instantiate $m
    (with "mem" (instance $mem))
    (with "host" (instance (export "now" (func $now))))))
  (func (export "now") (result u64) (canon lift (core func $i "now"))))
