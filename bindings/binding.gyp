# Builds build/Release/xmcast_bindings.node over the system's libbpf (1.1 or later).
{
  'targets': [
    {
      'target_name': 'xmcast_bindings',
      'sources': [
        'src/addon.cc',
        'src/arguments.cc',
        'src/async.cc',
        'src/btf.cc',
        'src/datagram-receiver.cc',
        'src/error.cc',
        'src/file-descriptor.cc',
        'src/file-lock.cc',
        'src/libbpf-log.cc',
        'src/link.cc',
        'src/map.cc',
        'src/map-batch.cc',
        'src/map-memory.cc',
        'src/netlink.cc',
        'src/object.cc',
        'src/packet-socket.cc',
        'src/poll-watcher.cc',
        'src/program.cc',
        'src/program-run.cc',
        'src/raw-socket.cc',
        'src/ring-buffer.cc',
        'src/system.cc',
      ],
      'defines': ['NAPI_VERSION=8', 'NAPI_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED', '_GNU_SOURCE',
        # A worker thread may end while a promise is being settled: the exception has nobody to go to.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
      'cflags!': ['-fno-exceptions'],
      'cflags_cc!': ['-fno-exceptions', '-std=gnu++14', '-std=gnu++20'],
      'cflags_cc': [
        # node-addon-api is a system header here: its warnings are not ours to fix.
        '-isystem<!(node -p "path.dirname(require.resolve(\'node-addon-api\'))")',
        '-std=c++17',
        '-fvisibility=hidden',
        '-Wall',
        '-Wextra',
        '-Wshadow',
        '-Wconversion',
        '-Werror',
      ],
      'libraries': ['-lbpf', '-lelf', '-lz'],
    },
  ],
}
