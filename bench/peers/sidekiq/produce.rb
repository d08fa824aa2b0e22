# Sidekiq's producers in the side-by-side run: produce.rb enqueue N | latency WARM SAMPLES | verify N
require_relative "app"
require "json"

def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
what, *a = ARGV
a = a.map(&:to_i)
case what
when "enqueue"
  n = a[0]
  sent = 0
  Sidekiq.redis(&:ping)
  t = now
  (0...n).each_slice(1000) do |s|
    sent += Sidekiq::Client.push_bulk("class" => Add, "args" => s.map { |i| [i, 1] }).size
  end
  puts({ n: sent, seconds: now - t }.to_json)
when "latency"
  r = Redis.new(url: ENV["REDIS_URL"], driver: "hiredis")
  ms = []
  wrong = 0
  (a[0] + a[1]).times do |i|
    t = now
    AddReply.perform_async(i, 1, "reply:#{i}")
    v = r.blpop("reply:#{i}", timeout: 60)[1]
    ms << (now - t) * 1000
    wrong += 1 if v.to_i != i + 1
  end
  puts({ ms: ms.drop(a[0]), wrong: wrong }.to_json)
else
  n = a[0]
  s = Redis.new(url: ENV["REDIS_URL"]).hgetall("bench:done").sum { |k, v| k.start_with?("s") ? v.to_i : 0 }
  puts({ checked: n, ok: s == n * (n + 1) / 2 ? n : 0 }.to_json)
end
