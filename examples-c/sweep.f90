! A parameter sweep on all processors: how high does a driven pendulum swing, for each strength of the drive? The
! equation of motion is integrated for 2000 strengths, by park's map, in batches: the job can be paused, stopped and
! watched between any two of them, and Ctrl-C ends it in the middle of one. From the root of the repository:
!
!   $ make
!   $ mkdir -p build
!   $ gfortran -O2 -std=f2018 -frecursive -Wall -Wextra -pedantic -Jbuild include/park.f90 examples-c/sweep.f90 -o build/sweep \
!       -Ltarget/release -lpark -Wl,-rpath,$PWD/target/release
!   $ build/sweep
!   $ PARK_NUM_THREADS=1 build/sweep
!   $ PARK_MAP_CHECK=1 build/sweep
!
! The sum is the same to the last digit with any number of threads. -frecursive matters: without it gfortran would let all
! threads share the large array of "swing", and the last command would say so.
module pendulum
  use, intrinsic :: iso_c_binding, only: c_double, c_f_pointer, c_int, c_int64_t, c_ptr
  use, intrinsic :: iso_fortran_env, only: real64
  implicit none

  integer, parameter :: steps = 12000
  real(real64), parameter :: damping = 0.5d0, drive_frequency = 2d0/3d0

contains

  ! One item: strength in, highest late swing out. The whole path is kept, as such programs like to.
  function swing(job, input, output, index, user) bind(c) result(status)
    type(c_ptr), value :: job, input, output, user
    integer(c_int64_t), value :: index
    integer(c_int) :: status
    real(c_double), pointer :: strength, highest
    real(real64) :: path(2, 0:steps), k1(2), k2(2), k3(2), k4(2), dt, t
    integer :: i

    call c_f_pointer(input, strength)
    call c_f_pointer(output, highest)
    dt = 0.02d0
    path(:, 0) = [0.2d0, 0d0]
    do i = 1, steps
       t = (i - 1)*dt
       k1 = motion(t, path(:, i - 1), strength)
       k2 = motion(t + dt/2, path(:, i - 1) + dt/2*k1, strength)
       k3 = motion(t + dt/2, path(:, i - 1) + dt/2*k2, strength)
       k4 = motion(t + dt, path(:, i - 1) + dt*k3, strength)
       path(:, i) = path(:, i - 1) + dt/6*(k1 + 2*k2 + 2*k3 + k4)
    end do
    highest = maxval(abs(path(2, steps/2:)))
    status = 0
    if (.false.) print *, transfer(job, 0_c_int64_t), transfer(user, 0_c_int64_t), index ! not needed here
  end function swing

  pure function motion(t, state, strength) result(change)
    real(real64), intent(in) :: t, state(2), strength
    real(real64) :: change(2)

    change = [state(2), strength*cos(drive_frequency*t) - damping*state(2) - sin(state(1))]
  end function motion
end module pendulum

program sweep
  use, intrinsic :: iso_c_binding, only: c_int
  use, intrinsic :: iso_fortran_env, only: int64, real64
  use park
  use pendulum
  implicit none
  integer, parameter :: items = 2000, batch = 250
  real(real64) :: strengths(items), swings(items)
  type(park_handler) :: job
  integer(c_int) :: status
  integer(int64) :: began, ended, rate
  integer :: first, i

  strengths = [(0.5d0 + i/real(items, real64), i=1, items)]
  swings = 0
  status = PARK_OK
  call job%open('sweep')
  call job%set_units('pendulums')
  call job%catch(0, PARK_CATCH_INTERACTIVE)
  call system_clock(began, rate)
  do first = 1, items, batch
     status = job%map(swing, strengths(first:first + batch - 1), swings(first:first + batch - 1))
     if (status == PARK_OK) status = job%ready()
     if (status /= PARK_OK) exit
     call job%progress(first + batch - 1, items)
  end do
  call system_clock(ended)
  if (status < 0) print '(2a)', 'sweep: ', job%last_error()
  call job%close()
  if (status /= PARK_OK) stop job%exit_code(), quiet=.true.
  print '(a, es24.16)', 'sum of the highest swings', sum(swings)
  print '(a, f6.2, a, es10.2)', 'the highest is that at', strengths(maxloc(swings, 1)), ':', maxval(swings)
  print '(a, f8.3, a)', 'in', (ended - began)/real(rate, real64), ' s'
end program sweep
