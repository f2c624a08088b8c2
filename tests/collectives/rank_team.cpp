// Plugins by path, one thread per rank.
#include "tests/collectives/rank_team.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "core/base/error.h"
#include "core/base/failure_detail.h"
#include "core/parallel/thread_pool.h"

namespace ftrun::test {

const ftrun_host* team_host() {
  static const ftrun_host host = [] {
    ftrun_host table = {};
    table.head = {sizeof(table), FTRUN_HOST_TAG};
    table.log = [](const ftrun_host*, ftrun_log_level, ftrun_str) noexcept {};
    table.fail = [](const ftrun_host*, ftrun_status code, ftrun_str message) noexcept {
      set_failure_detail({message.data, message.size});
      return code;
    };
    table.parallel_for = [](const ftrun_host*, int64_t count, ftrun_task task, void* argument) noexcept {
      parallel_for(count, task, argument);
    };
    table.thread_count = [](const ftrun_host*) noexcept { return thread_count(); };
    table.thread_index = [](const ftrun_host*) noexcept { return thread_index(); };
    return table;
  }();
  return &host;
}

const ftrun_host* small_messages_host() {
  static const ftrun_option_api options = [] {
    ftrun_option_api api = {};
    api.head = {sizeof(api), FTRUN_OPTION_API_TAG};
    api.get_int = [](const ftrun_options*, ftrun_str, int64_t* value) noexcept -> ftrun_status {
      *value = 1'000;
      return FTRUN_OK;
    };
    return api;
  }();
  static const ftrun_host host = [] {
    ftrun_host table = *team_host();
    table.option = &options;
    return table;
  }();
  return &host;
}

const ftrun_options* small_messages_options() {
  // Opaque to the plugin: the host's calls get it back and have but one answer.
  static const char options = 0;
  return reinterpret_cast<const ftrun_options*>(&options);
}

const ftrun_plugin* load_plugin(const std::string& kind, const std::string& id) {
  const std::string path = std::string(FTRUN_BINARY_DIR) + "/lib/ftrun/plugins/" + kind + "_" + id + ".so";
  if (!std::filesystem::exists(path)) return nullptr;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw internal_error("{}", dlerror());
  const auto query = reinterpret_cast<ftrun_plugin_query_v1_function>(dlsym(library, "ftrun_plugin_query_v1"));
  const ftrun_plugin* plugin = nullptr;
  if (query == nullptr || query(0, &plugin) != FTRUN_OK) throw internal_error("{}: no plugin inside", path);
  return plugin;
}

OpenedPlugin::OpenedPlugin(const std::string& id)
    : table_(static_cast<const ftrun_device*>(load_plugin("device", id)->table)) {
  ftrun_device_open_args args = {};
  args.head = {sizeof(args), FTRUN_DEVICE_OPEN_TAG};
  args.host = team_host();
  check_status(table_->open(&args, &instance_), "open");
  device_ = std::make_unique<Device>(*table_, instance_);
}

OpenedPlugin::~OpenedPlugin() {
  device_.reset();
  table_->close(instance_);
}

void run_rank(std::unique_ptr<Transport> transport, std::shared_ptr<OperationBoard> board, const TeamOptions& options,
              const std::function<void(TeamRank&)>& body) {
  OpenedPlugin host("cpu");
  std::unique_ptr<OpenedPlugin> other;
  if (options.device != "cpu") other = std::make_unique<OpenedPlugin>(options.device);
  ExecutionContext ctx;
  ctx.host_device = &host.device();
  ctx.device = other != nullptr ? &other->device() : ctx.host_device;
  CommunicatorArguments arguments;
  arguments.device = ctx.device;
  arguments.host_device = ctx.host_device;
  arguments.timeout_ms = options.timeout_ms;
  arguments.board = std::move(board);
  arguments.piece_bytes = options.piece_bytes;
  Communicator communicator(std::move(transport), arguments);
  TeamRank rank = {ctx, communicator};
  try {
    body(rank);
  } catch (const std::exception& failure) {
    communicator.abort(failure.what());
    throw;
  }
}

std::vector<TeamFailure> run_team(int32_t world, const TeamOptions& options,
                                  const std::function<void(TeamRank&)>& body) {
  const auto* table = static_cast<const ftrun_collectives*>(load_plugin("collectives", "inproc")->table);
  const auto board = std::make_shared<OperationBoard>(world);
  std::vector<TeamFailure> failures(static_cast<size_t>(world));
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < world; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        Transport::Arguments arguments;
        arguments.host = team_host();
        arguments.rank = rank;
        arguments.world = world;
        arguments.rendezvous = board.get();
        arguments.timeout_ms = options.timeout_ms;
        run_rank(std::make_unique<Transport>(*table, arguments), board, options, body);
      } catch (const Error& failure) {
        failures[static_cast<size_t>(rank)] = {failure.code(), failure.what()};
      } catch (const std::exception& failure) {
        failures[static_cast<size_t>(rank)] = {FTRUN_UNKNOWN, failure.what()};
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return failures;
}

std::unique_ptr<Transport> second_transport(TeamRank& rank) {
  const auto* table = static_cast<const ftrun_collectives*>(load_plugin("collectives", "inproc")->table);
  // An address that all ranks know and nothing else uses: rank 0's context.
  const void* rendezvous = &rank.ctx;
  const std::string text = fmt::format("{}", reinterpret_cast<uintptr_t>(rendezvous));
  rendezvous = reinterpret_cast<const void*>(std::stoull(rank.communicator.all_gather_text(text).front()));
  Transport::Arguments arguments;
  arguments.host = team_host();
  arguments.rank = rank.communicator.rank();
  arguments.world = rank.communicator.world();
  arguments.rendezvous = rendezvous;
  return std::make_unique<Transport>(*table, arguments);
}

void run_team_well(int32_t world, const TeamOptions& options, const std::function<void(TeamRank&)>& body) {
  for (const TeamFailure& failure : run_team(world, options, body)) EXPECT_EQ(failure.message, "");
}

}  // namespace ftrun::test
