# Sidekiq's tasks in the side-by-side run. Loaded by the sidekiq worker (-r ./app.rb) and by produce.rb.
require "sidekiq"
require "hiredis"

Sidekiq.logger.level = Logger::WARN

# Sidekiq OSS stores no results and publishes its processed-counter only every few seconds, so each worker
# thread keeps its own count and sum, and one thread per process writes the totals to Redis every 10 ms.
class Done
  @all = []
  @lock = Mutex.new
  def self.mine
    Thread.current[:done] ||= [0, 0].tap { |c| @lock.synchronize { @all << c } }
  end

  def self.totals
    @lock.synchronize { [@all.sum { |c| c[0] }, @all.sum { |c| c[1] }] }
  end
end

class Add
  include Sidekiq::Worker
  sidekiq_options retry: 3
  def perform(a, b)
    r = a + b
    c = Done.mine
    c[0] += 1
    c[1] += r
  end
end

# For the latency measure: the usual way to get an answer back without a result store.
class AddReply
  include Sidekiq::Worker
  def perform(a, b, reply)
    Sidekiq.redis { |r| r.rpush(reply, a + b) }
  end
end

Sidekiq.configure_client { |c| c.redis = { url: ENV["REDIS_URL"], driver: "hiredis" } }
Sidekiq.configure_server do |c|
  c.redis = { url: ENV["REDIS_URL"], driver: "hiredis" }
  c.on(:startup) do
    Thread.new do
      r = Redis.new(url: ENV["REDIS_URL"], driver: "hiredis")
      last = 0
      loop do
        n, s = Done.totals
        if n != last
          r.mapped_hmset("bench:done", { "n#{Process.pid}" => n, "s#{Process.pid}" => s })
          last = n
        end
        sleep 0.01
      end
    end
  end
end
