#include "lm/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lm/model.hpp"

namespace ctckit {
namespace {

class File {
 public:
  explicit File(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) throw FormatError(std::strerror(errno));
  }
  ~File() { close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  size_t bytes() const {
    struct stat found;
    if (fstat(descriptor_, &found) != 0) throw FormatError(std::strerror(errno));
    return static_cast<size_t>(found.st_size);
  }

  std::shared_ptr<const std::byte> map(size_t bytes) const {
    void* const at = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor_, 0);
    if (at == MAP_FAILED) throw FormatError(std::strerror(errno));
    return {static_cast<const std::byte*>(at),
            [bytes](const std::byte* each) { munmap(const_cast<std::byte*>(each), bytes); }};
  }

 private:
  int descriptor_;
};

}  // namespace

MappedFile mapped_file(const std::string& path) {
  const File file(path);
  const size_t bytes = file.bytes();
  return {bytes > 0 ? file.map(bytes) : nullptr, bytes};
}

}  // namespace ctckit
