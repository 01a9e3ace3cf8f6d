! Maps from Fortran: a bind(C) procedure as the function, and the fault that the checking mode finds.
!   gfortran -O2 -frecursive tests/map_fortran.f90 -o map_fortran -Ltarget/release -lpark -Wl,-rpath,target/release && ./map_fortran
!   gfortran -O2 tests/map_fortran.f90 -o map_racing -Ltarget/release -lpark -Wl,-rpath,target/release && ! ./map_racing
! Compiled without -frecursive, gfortran makes the 160 kB array of "item" static: all threads share it, and the results
! are wrong in silence. The checking mode says PARK_DIFFERS then, and this program ends with 1.
module items
  use, intrinsic :: iso_c_binding
  implicit none

  interface
     function park_handler_new(name) bind(c) result(job)
       import :: c_char, c_ptr
       character(kind=c_char), intent(in) :: name(*)
       type(c_ptr) :: job
     end function park_handler_new

     function park_handler_free(job) bind(c) result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: job
       integer(c_int) :: status
     end function park_handler_free

     function park_attach(job) bind(c) result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: job
       integer(c_int) :: status
     end function park_attach

     function park_detach(job) bind(c) result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: job
       integer(c_int) :: status
     end function park_detach

     function park_set_workers(job, count) bind(c) result(status)
       import :: c_int, c_int64_t, c_ptr
       type(c_ptr), value :: job
       integer(c_int64_t), value :: count
       integer(c_int) :: status
     end function park_set_workers

     function park_options_new() bind(c) result(options)
       import :: c_ptr
       type(c_ptr) :: options
     end function park_options_new

     function park_options_set(options, which, value) bind(c) result(status)
       import :: c_int, c_int64_t, c_ptr
       type(c_ptr), value :: options
       integer(c_int), value :: which
       integer(c_int64_t), value :: value
       integer(c_int) :: status
     end function park_options_set

     function park_options_free(options) bind(c) result(status)
       import :: c_int, c_ptr
       type(c_ptr), value :: options
       integer(c_int) :: status
     end function park_options_free

     function park_map_with(job, options, fn, user, input, in_stride, output, out_stride, n) bind(c) result(status)
       import :: c_funptr, c_int, c_int64_t, c_ptr
       type(c_ptr), value :: job, options, user, input, output
       type(c_funptr), value :: fn
       integer(c_int64_t), value :: in_stride, out_stride, n
       integer(c_int) :: status
     end function park_map_with
  end interface

contains

  ! An item with a large local array, as Fortran programs have them.
  function item(job, input, output, index, user) bind(c) result(status)
    type(c_ptr), value :: job, input, output, user
    integer(c_int64_t), value :: index
    integer(c_int) :: status
    real(c_double), pointer :: x, y
    real(c_double) :: work(20000)
    integer :: i

    call c_f_pointer(input, x)
    call c_f_pointer(output, y)
    do i = 1, size(work)
       work(i) = x + i
    end do
    y = sum(work)
    status = merge(0, -1, index >= 0 .and. c_associated(job) .and. .not. c_associated(user))
  end function item
end module items

program map_fortran
  use items
  implicit none
  integer, parameter :: n = 2000, PARK_OK = 0, PARK_DIFFERS = -21, PARK_OPTION_CHECK = 6
  real(c_double), target :: x(n), y(n)
  type(c_ptr) :: job, options
  integer(c_int) :: status
  integer :: i

  x = [(real(i, c_double), i=1, n)]
  job = park_handler_new('map'//c_null_char)
  options = park_options_new()
  call check(park_options_set(options, PARK_OPTION_CHECK, 1_c_int64_t) == PARK_OK, 'option')
  call check(park_set_workers(job, 2_c_int64_t) == PARK_OK, 'workers')
  call check(park_attach(job) == PARK_OK, 'attach')
  status = park_map_with(job, options, c_funloc(item), c_null_ptr, c_loc(x), 8_c_int64_t, c_loc(y), 8_c_int64_t, &
       int(n, c_int64_t))
  do i = 1, n
     call check(y(i) == 20000*x(i) + 200010000, 'what stays is right')
  end do
  call check(park_detach(job) == PARK_OK, 'detach')
  call check(park_options_free(options) == PARK_OK, 'options')
  call check(park_handler_free(job) == PARK_OK, 'free')
  if (status == PARK_DIFFERS) then
     print '(a)', 'items differ: threads share memory'
     stop 1
  end if
  call check(status == PARK_OK, 'map')
  print '(a)', 'ok map_fortran'

contains

  subroutine check(holds, what)
    logical, intent(in) :: holds
    character(*), intent(in) :: what

    if (holds) return
    print '(2a)', 'not ok: ', what
    stop 2
  end subroutine check
end program map_fortran
