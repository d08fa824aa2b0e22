;; Never ends by itself: forever().
(component
  (core module $m
    (func (export "forever") (loop $again (br $again))))
  (core instance $i (instantiate $m))
  (func (export "forever") (canon lift (core func $i "forever"))))
